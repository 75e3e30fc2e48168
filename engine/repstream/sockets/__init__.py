"""The ends of ZMQ sockets: who is at the other one, and the keys by which both are known (CURVE).

Parameters and options carry the *names* of keys; the keys themselves never leave their files and libzmq.
"""
