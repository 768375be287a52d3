//! Rank 3: what users report to the administrators, and what administrators tell users.
