# %% Exercise 1
# 2⁶; C(6, 2); the other five blocks are free to choose.
paths_in_all, of_length_two, through_the_first = 64, 15, 32

# %% Exercise 2
# (1 + 4)(1 − 2), multiplied out and sorted.
by_length = [1, 4 - 2, 4 * -2]

# %% Exercise 3
# 1 − 3 is negative, so the ReLU's mask is 0, and the mask lies on both ways.
along_the_shortcut = 0
