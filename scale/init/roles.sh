#!/bin/sh
# Once, for an empty database: a role a module, which owns its schema and sees no other, and one that only watches.
set -eu
password() { awk -F: -v role="$1" '$4 == role { print $5 }' /run/secrets/pgpass; }
for role in products orders inventory; do
  psql -v ON_ERROR_STOP=1 -q --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" -v role="$role" -v password="$(password "$role")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE SCHEMA :"role" AUTHORIZATION :"role";
SQL
done
psql -v ON_ERROR_STOP=1 -q --username "${POSTGRES_USER:-postgres}" --dbname "$POSTGRES_DB" -v password="$(password exporter)" <<'SQL'
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE ROLE exporter LOGIN PASSWORD :'password';
GRANT pg_monitor TO exporter;
SQL
