"""Results on the screen: each command's tables and lines, one file per command, without arithmetic."""
