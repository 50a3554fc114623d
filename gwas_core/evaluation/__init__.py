"""The honest evaluation: networks whose lines, hyperparameters and stopping never saw the lines they are judged by.

``plan`` says what is done, ``folds`` which lines are trained on and predicted, ``models`` predicts them, ``worker``
and ``tasks`` do so in processes, ``folder`` keeps what they found, ``intervals`` says how sure it is, and ``run`` ties
them together.
"""
