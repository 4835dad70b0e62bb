create table if not exists models (
    market varchar not null,
    model varchar not null,
    month date not null,
    trained_through date not null,
    path varchar not null,
    sha256 varchar not null,
    bytes bigint not null,
    seconds double not null,
    fitted_at timestamp not null
);
comment on table models is 'Registry: one fitted model per market, model and month, trained only on sessions before the month.';
comment on column models.month is 'First day of the month the model forecasts in';
comment on column models.trained_through is 'Newest session the training saw: the last one before the month';
comment on column models.path is 'Artifact, relative to the folder of models';
comment on column models.sha256 is 'Digest of the artifact''s bytes; a file that differs is refused';
comment on column models.bytes is 'Size of the artifact';
comment on column models.seconds is 'Wall time of the training, s';
comment on column models.fitted_at is 'When it was trained, UTC';
