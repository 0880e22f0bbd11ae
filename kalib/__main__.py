"""`python -m kalib` is `kalib`."""

from kalib.cli import main

if __name__ == "__main__":
    main(prog_name="kalib")
