"""The CitizenPC agent: two processes on a public computer.

``link`` talks to the portal and may do nothing else; the root half (everything
beside ``link``) acts and never touches the network. Runs on Python 3.10 or newer.
"""
