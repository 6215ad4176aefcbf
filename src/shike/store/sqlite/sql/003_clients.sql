-- Those who only submit do not beat and are not closed: they are found apart from those who do, and forgotten by age.
create index {ns}_session_present on {ns}_session (number) where expires_at > 0 and closed = 0;
create index {ns}_session_client on {ns}_session (started_at) where expires_at = 0;
