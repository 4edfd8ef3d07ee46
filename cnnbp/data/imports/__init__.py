"""Data that does not lie in an image folder yet: files and archives of others, of which nothing is trusted."""
