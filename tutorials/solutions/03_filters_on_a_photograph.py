# %% Exercise 1
# The one is where the wanted pixel lies in the window: on the left of the middle.
move_right = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]

# %% Exercise 2
weight = 1 / 25
size = (240 - 5 + 1, 240 - 5 + 1)

# %% Exercise 3
# The vertical kernel on its side: above minus below.
find_horizontal = [[1, 1, 1], [0, 0, 0], [-1, -1, -1]]
