"""What a trained network makes of images: how good it is on a folder, and what it takes single images for.

Images pass as in training: the run's image format and normalisation, running statistics, no dropout.
"""
