# %% Exercise 1
# 2⁶; C(6, 2); the other five blocks are free to choose.
paths_in_all, of_length_two, through_the_first = 64, 15, 32

# %% Exercise 2
# (1 + 4)(1 − 2), multiplied out and sorted.
by_length = [1, 4 - 2, 4 * -2]

# %% Exercise 3
# 1 − 3 is negative, so the ReLU's mask is 0, and the mask lies on both ways.
along_the_shortcut = 0

# %% Exercise 4
# 12 branches are 2¹² paths; 2 of 6 attentions and 1 of 6 perceptrons are C(6, 2) · C(6, 1).
paths_of_the_transformer, two_and_one = 4096, 15 * 6
