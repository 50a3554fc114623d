"""Sentences that say what each hyperparameter of the networks does."""

from __future__ import annotations

_SENTENCES = {
    "network": "Network that is trained: hybrid (refines a mixed model) or tutorial (the published one).",
    "learning_rate": "Size of each step of training: too large, and the error jumps; too small, and it hardly moves.",
    "batch_size": "Number of lines that each step of training looks at.",
    "epochs": "Most passes through the training lines; training ends earlier if the validation error no longer falls.",
    "patience": "Epochs without a lower validation error after which training ends; the best weights are kept.",
    "loss": "What training makes small on the training lines; robust losses such as huber give outliers less weight.",
    "linear_start": "Where the linear paths of the network start: as a mixed model of the training lines, or at zero.",
    "start_l2": "How strongly weights are held where they started: the larger, the nearer to GBLUP they stay.",
    "conv_kernel_size": "Number of neighbouring SNPs that are read together as one block.",
    "conv_filters": "Number of typical haplotypes that each block is compared with.",
    "haplotype_sharpness": "How alike a line and a typical haplotype must be to count as the same.",
    "num_dense_units": "Width of the layers behind the convolution; in the hybrid network, 0 leaves this path out.",
    "num_dense_layers": "Number of dense layers between the convolution and the output.",
    "conv_activation": "Non-linear function after the convolution; linear means none.",
    "activation": "Non-linear function after each dense layer; linear means none.",
    "dropout_rate": "Share of the units that are left out at random in each step, against learning by heart.",
    "conv_1_dropout_rate": "Share of the units of the first convolution that are left out at random in each step.",
    "conv_initializer": "How the weights of the convolutions are drawn before training.",
    "dense_initializer": "How the weights of the dense layers are drawn before training.",
    "final_activation_scale_factor": "Largest z-score that the network can predict, in either direction.",
    "layout": "Whether genotype classes lie beside each other (channels) or in a row, as in the tutorial.",
}
_LAYERS = {
    "conv_1": "the first convolution",
    "conv_x": "the other convolutions",
    "dense_x": "the dense layers",
    "dense_out": "the output layer",
}
_PARTS = {"kernel": "weights", "bias": "constants", "activity": "outputs"}
_PENALTIES = {
    "l1": "their absolute values, which makes many of them zero",
    "l2": "their squares, which keeps all small",
}


def hyperparameter_sentence(name: str) -> str:
    """Return what a hyperparameter does, in one sentence.

    Args:
        name: of a hyperparameter, or ``network``.

    Returns:
        Empty for a name that no network has.
    """
    if name in _SENTENCES:
        return _SENTENCES[name]
    rest, _, penalty = name.rpartition("_")
    layer, _, part = rest.rpartition("_")
    if layer in _LAYERS and part in _PARTS and penalty in _PENALTIES:
        return f"Penalty on the {_PARTS[part]} of {_LAYERS[layer]}, by {_PENALTIES[penalty]}."
    return ""
