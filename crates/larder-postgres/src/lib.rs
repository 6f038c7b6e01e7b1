//! larder on PostgreSQL.
