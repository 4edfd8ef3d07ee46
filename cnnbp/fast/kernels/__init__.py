"""The arithmetic of convolutions and pools, over arrays: what a layer's two functions call.

`choice.py` says which kernel computes a convolution.

    columns      every window of x copied into a column, and one product (im2col); for all convolutions
    rows         a product for each row of the output, its windows copied kW times instead of kH·kW (`blocks.py`)
    winograd     fewer multiplications, over feature maps in `strips.py`; float32 alone
    pairs        2×2 max pooling, over feature maps whose even and odd columns are apart (`phases.py`)
    products     matrix products in the tiles that BLAS does best
"""
