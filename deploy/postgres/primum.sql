-- What a superuser does once for Primum, in a Postgres with pgvector. The container's entry point runs it on an empty
-- volume; anywhere else: psql --set password=… --file deploy/postgres/primum.sql. Again it changes nothing but the password.
-- Primum's own user is no superuser and makes no roles; row-level security binds the two that it works as.
\set ON_ERROR_STOP on
\if :{?password}
\else
  \set password `cat /run/secrets/database_password`
\endif
\if :{?database}
\else
  \set database primum
\endif
select format('create role %I %s', name, kind) from (values
  ('primum', 'login'), ('primum_app', 'nologin nosuperuser nobypassrls'), ('primum_worker', 'nologin nosuperuser nobypassrls')
) as wanted (name, kind) where not exists (select from pg_roles where rolname = name) \gexec
alter role primum password :'password';
grant primum_app, primum_worker to primum;
select format('create database %I owner primum', :'database')
where not exists (select from pg_database where datname = :'database') \gexec
\connect :database
create extension if not exists vector;
