"""The embedded AWS: MiniStack, plus what AWS does and MiniStack does not. All but process.py runs in the emulator."""
