"""The chain rule of one batch as a page to click through: one HTML file that needs nothing else."""
