//! Rank 4: mails to users, by SMTP.
