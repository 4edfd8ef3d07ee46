"""Image folders: scan, decode, split, augment, normalise, and cut into batches.

Pillow is imported by `decode` alone, so that scanning a folder stays cheap.
"""
