"""``python -m flowkit_deflow``: the ``deflow`` command."""

from flowkit_deflow.app.cli import main

if __name__ == "__main__":
    main()
