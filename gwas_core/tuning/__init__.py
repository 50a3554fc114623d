"""The search for good hyperparameters: space, suggestions, experiments, and the engines that run them."""
