"""The addition that ends a residual block: y = skip + branch (He et al. 2015)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError


@op(symbol="⊕")
def residual_add(skip: Any, branch: Any) -> Any:
    """skip + branch, of equal shapes; the graph remembers which is which.

    Backward, the cotangent g reaches both unchanged; through a block x + F(x) it is therefore
    g + J_Fᵀ g. `gradient_paths` splits a gradient at these additions.

    Raises:
        ShapeError: the shapes differ; the shortcut then needs a projection, such as a 1×1
            convolution with the branch's stride and channels.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0], requires_grad=True)
        >>> tg.residual_add(x, 3 * x).backward()
        >>> x.grad.item()  # 1 along the skip, 3 along the branch
        4.0
    """
    return skip + branch


@residual_add.check
def _(skip: Any, branch: Any) -> dict[str, Any]:
    if np.shape(skip) != np.shape(branch):
        raise ShapeError(
            f"residual_add: skip {np.shape(skip)} and branch {np.shape(branch)} must have equal "
            "shapes; project the shortcut, e.g. with a 1×1 convolution"
        )
    a, b = np.asarray(skip).dtype, np.asarray(branch).dtype
    if a != b:
        raise DtypeError(f"residual_add: skip is {a}, branch {b}; cast one with .astype")
    return {}


residual_add.vjp(lambda g, y, skip, branch: g, lambda g, y, skip, branch: g)


residual_add.multiply_adds(lambda out, skip, branch: math.prod(out))


@residual_add.definition
def _(at: Shape, skip: Any, branch: Any) -> Any:
    return skip[at] + branch[at]
