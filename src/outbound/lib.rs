//! Rank 0: the one client for requests that leave this server.
