"""The command line, run in this process."""

from typer.testing import CliRunner

from tinygrad_cnn.cli.app import app


def run(*words, typed=""):
    """What a command did: its exit code and what it printed."""
    return CliRunner().invoke(app, [str(word) for word in words], input=typed)


def said(*words):
    """What a command that goes well prints."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout
