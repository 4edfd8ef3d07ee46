"""Trained weights for other tools: ONNX, safetensors and NumPy's npz.

The arrays are those of the checkpoint, (filters, C/groups, kH, kW) and (out, in), as PyTorch and ONNX have them.
"""

from cnnbp.export.formats import FORMATS, Export, Format, export_checkpoint

__all__ = ["FORMATS", "Export", "Format", "export_checkpoint"]
