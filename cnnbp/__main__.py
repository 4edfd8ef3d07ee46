"""`python -m cnnbp` is the `cnnbp` command."""

from cnnbp.cli import main

if __name__ == "__main__":
    main()
