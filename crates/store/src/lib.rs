//! Magnum's tables and our own: queries, transactions, leases, migrations.
