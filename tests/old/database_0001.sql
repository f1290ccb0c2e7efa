BEGIN TRANSACTION;
CREATE TABLE alarms (
	rule VARCHAR(100) NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	since FLOAT NOT NULL, 
	episode INTEGER NOT NULL, 
	told VARCHAR(10) NOT NULL, 
	told_at FLOAT, 
	PRIMARY KEY (rule)
);
INSERT INTO "alarms" VALUES('error_rate','firing',1795300001.0,2,'firing',1795300002.0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	at FLOAT NOT NULL, 
	actor VARCHAR(200) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	subject VARCHAR(500) NOT NULL, 
	outcome VARCHAR(200) NOT NULL, 
	details JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit" VALUES(1,1.79533736627751731871e+09,'command line','key added','96e30e5fbbd1','done','{"scopes": ["predict", "admin"]}');
CREATE TABLE deployments (
	id INTEGER NOT NULL, 
	model VARCHAR(64) NOT NULL, 
	at FLOAT NOT NULL, 
	routes JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "deployments" VALUES(1,'default',1795300000.5,'{"active": "v1", "shares": {"v1": 1.0}}');
CREATE TABLE keys (
	id VARCHAR(16) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	scopes JSON NOT NULL, 
	requests_per_minute INTEGER, 
	texts_per_day INTEGER, 
	created_at FLOAT NOT NULL, 
	expires_at FLOAT, 
	revoked_at FLOAT, 
	PRIMARY KEY (id)
);
INSERT INTO "keys" VALUES('96e30e5fbbd1','门店 shop','3dfb197dfbf58d5d9ebe04138e857702c0330e1f2bedf5e19371ebf182f338b3','["predict", "admin"]',NULL,1000,1.79533736622537660595e+09,NULL,NULL);
CREATE TABLE notifications (
	number INTEGER NOT NULL, 
	idempotency_key VARCHAR(64) NOT NULL, 
	receiver VARCHAR(100) NOT NULL, 
	rule VARCHAR(100) NOT NULL, 
	body JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	due_at FLOAT NOT NULL, 
	done_at FLOAT, 
	attempts INTEGER NOT NULL, 
	refusals INTEGER NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	last_error TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (idempotency_key)
);
INSERT INTO "notifications" VALUES(1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','ops','error_rate','{"state": "firing"}',1795300002.0,1795300003.0,NULL,0,0,'waiting',NULL);
CREATE TABLE usage (
	key_id VARCHAR(16) NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	requests INTEGER NOT NULL, 
	texts INTEGER NOT NULL, 
	PRIMARY KEY (key_id, day), 
	FOREIGN KEY(key_id) REFERENCES keys (id)
);
INSERT INTO "usage" VALUES('96e30e5fbbd1','2026-11-21',12,340);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX deployments_model ON deployments (model, id);
CREATE INDEX notifications_of_receiver ON notifications (receiver, state, rule, number);
COMMIT;
