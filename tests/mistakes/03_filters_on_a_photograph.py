# %% Exercise 1
move_right = [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
# says: move_right: not yet. 9 of 9 values are wrong: at [0, 0] you have 7, which is too large.

# %% Exercise 2
weight = 1 / 9
size = (238, 238)
# says: weight: not yet. 0.111111 is too large.
# says: size: not yet. 2 of 2 values are wrong: at [0] you have 238, which is too large.

# %% Exercise 3
find_horizontal = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
# says: find_horizontal on half.T: not yet. The size is right, the sign is not.
# says: find_horizontal on half: right.
