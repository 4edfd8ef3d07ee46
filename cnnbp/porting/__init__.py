"""For those who write a backward pass in another language: one batch as a file, and what differs from it."""
