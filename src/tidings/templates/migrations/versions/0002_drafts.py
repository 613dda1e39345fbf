"""Drafts, the archive, partials, and versions that hold what they were compiled to."""

from alembic import op

revision = "0002"
down_revision = "0001"

_WHAT_LISTS_SHOW = (
    "locales text[] not null generated always as (locales_of(content)) stored",
    "channels text[] not null generated always as (channels_of(content)) stored",
    "words text not null generated always as (lower(template_id || ' ' || titles_of(content))) stored",
)


def upgrade() -> None:
    _describe_content()
    _keep_versions_as_they_are()
    op.execute("alter table templates add column archived_at timestamptz")
    # `forms` is null where the release before this one wrote the row: its content was sent as it stood,
    # so the content is the form, and no published version changes by being carried over.
    op.execute(
        f"""
        alter table versions
            add column category text not null default 'general',
            add column schema jsonb,
            add column sample jsonb not null default '{{}}',
            add column forms jsonb,
            add column partials jsonb not null default '{{}}',
            {", ".join(f"add column {column}" for column in _WHAT_LISTS_SHOW)}
        """
    )
    op.execute(
        f"""
        create table drafts (
            template_id text primary key references templates on delete cascade,
            default_locale text not null,
            content jsonb not null,
            category text not null,
            schema jsonb,
            sample jsonb not null,
            variables jsonb not null,
            partials jsonb not null,
            saved_at timestamptz not null,
            {", ".join(_WHAT_LISTS_SHOW)}
        )
        """
    )
    op.execute(
        """
        create table partials (
            name text primary key,
            source text not null,
            updated_at timestamptz not null
        )
        """
    )


def _describe_content() -> None:
    """What a list shows and searches, kept beside the content: that may be megabytes."""
    op.execute(
        """
        create function locales_of(content jsonb) returns text[] immutable
        return array(select locale from jsonb_object_keys(content) as locale order by locale collate "C")
        """
    )
    op.execute(
        """
        create function channels_of(content jsonb) returns text[] immutable
        return array(
            select channel from unnest(array['email', 'push']) as channel
            where exists (
                select from jsonb_each(content) as local where jsonb_typeof(local.value -> channel) = 'object'
            )
        )
        """
    )
    op.execute(
        """
        create function titles_of(content jsonb) returns text immutable
        return (
            select coalesce(
                string_agg(
                    coalesce(value #>> '{email,subject}', '') || ' '
                    || coalesce(value #>> '{push,title}', ''),
                    ' '
                ),
                ''
            )
            from jsonb_each(content)
        )
        """
    )


def _keep_versions_as_they_are() -> None:
    """A trigger in place of the missing right to update.

    PostgreSQL needs that right to look for versions of a template that is deleted.
    """
    op.execute(
        """
        create function refuse_change() returns trigger language plpgsql as $$
        begin
            raise exception 'published versions never change' using errcode = 'insufficient_privilege';
        end $$
        """
    )
    op.execute(
        "create trigger never_changes before update on versions for each row execute function refuse_change()"
    )
    op.execute("grant update on versions to current_user")


def downgrade() -> None:
    op.execute("drop table partials, drafts")
    op.execute(
        """
        alter table versions
            drop column locales, drop column channels, drop column words, drop column category,
            drop column schema, drop column sample, drop column forms, drop column partials
        """
    )
    op.execute("alter table templates drop column archived_at")
    op.execute("revoke update on versions from current_user")
    op.execute("drop trigger never_changes on versions")
    op.execute("drop function locales_of, channels_of, titles_of, refuse_change")
