//! The calls we make to OpenStack: session, catalogue, identity, compute, network, image, volume, key manager.
