//! The management cluster: discovery, apply and prune, watches, kubeconfigs.
