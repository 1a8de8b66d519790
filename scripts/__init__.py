"""The script library: maintenance scripts and what describes and checks them.

``parameters`` and ``arguments`` also run on the computer (see
``client_agent.scriptlib``), the rest where the library is built or imported.
"""
