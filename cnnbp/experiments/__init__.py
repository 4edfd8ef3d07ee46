"""Many runs: what they were trained with, what came of them, and how much of a difference is noise."""
