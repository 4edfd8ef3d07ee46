"""One batch under the microscope: every tensor that the chain rule touches, with its name, size and gradient."""
