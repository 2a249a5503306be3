//! Cluster API objects: what we build from a resolved cluster, and what an observed one means.
