"""cnnbp: train small convolutional networks on image folders and take their gradients apart."""

__version__ = "0.1.0"
