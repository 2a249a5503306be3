//! A pretend cloud on loopback: OpenStack services, a Kubernetes API with simulated Cluster API, workload clusters.
