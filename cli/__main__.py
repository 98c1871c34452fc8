"""`rotation-guard`, the console script."""


def main() -> None:
    """Run one command."""


if __name__ == "__main__":
    main()
