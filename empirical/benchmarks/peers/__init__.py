"""The same meta-iteration as users of other libraries write it, and plainly: what the engine is measured against."""

from .higher import Higher
from .interface import Failed, Peer, Prepared
from .jax import Jax
from .learn2learn import Learn2learn
from .loop import Loop
from .torchopt import Torchopt, TorchoptVmap

__all__ = ["PEERS", "Failed", "Peer", "Prepared"]

PEERS: dict[str, Peer] = {
    peer.name: peer for peer in (Loop(), Learn2learn(), Higher(), Torchopt(), TorchoptVmap(), Jax())
}
"""Every peer by name, installed or not. "loop" is also the oracle that gradients are compared with."""
