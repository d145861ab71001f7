# %% Exercise 1
paths_in_all, of_length_two, through_the_first = 12, 15, 36
# says: paths_in_all: not yet. 12 is too small.
# says: of_length_two: right.
# says: through_the_first: not yet. 36 is too large.

# %% Exercise 2
by_length = [1, 6, -8]
# says: by_length: not yet. 1 of 3 values is wrong: at [1] you have 6, which is too large.

# %% Exercise 3
along_the_shortcut = 1
# says: along_the_shortcut: not yet. 1 is too large.

# %% Exercise 4
paths_of_the_transformer, two_and_one = 64, 90
# says: paths_of_the_transformer: not yet. 64 is too small.
# says: two_and_one: right.
