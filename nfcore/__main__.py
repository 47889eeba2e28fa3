"""``python -m nfcore``: the command line, for ``torchrun -m nfcore``."""

from nfcore.cli import main

if __name__ == "__main__":
    main()
