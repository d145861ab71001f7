# %% Exercise 1
# 32 − 5 + 1 = 28, as with padding on 28×28; from there on nothing changes.
after_conv1 = (6, 28, 28)
after_pool1 = (6, 14, 14)
after_conv2 = (16, 10, 10)
after_pool2 = (16, 5, 5)

# %% Exercise 2
recall = confusion[8, 8] / confusion[8].sum()
precision = confusion[8, 8] / confusion[:, 8].sum()

# %% Exercise 3
fewer_parameters = 156 + 2416 + 16 * 10 + 10
