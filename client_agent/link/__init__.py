"""The unprivileged half: signs requests, talks to the portal, relays to root.

Runs as its own user without capabilities. Nothing of the root half imports it.
"""
