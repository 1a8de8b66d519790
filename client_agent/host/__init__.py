"""The operating system, one typed module for each part of it that the agent touches.

Nothing outside this package opens foreign files, starts processes or speaks D-Bus.
"""
