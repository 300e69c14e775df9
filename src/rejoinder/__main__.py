"""`python -m rejoinder` is the same front door as the `rejoinder` command."""

from rejoinder.cli import main

if __name__ == "__main__":
    main()
