-- What a catalogue at 0003 may hold, in the columns of that time. Never edited once 0004 exists.
INSERT INTO artifact (id, sha256, title, file_name, size, kind, family, base, variant, format, precision, algorithm, level, origin, added_at, preview, trigger_words, keywords, description)
VALUES (1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'DreamShaper 8', 'dreamshaper_8.safetensors', 2132625894, 'checkpoint', 'sd1', 'SD 1.5', '', 'safetensors', 'fp16', '', 'pg', 'civitai:4384@128713', '2026-01-02T03:04:05Z', 'aa/x.webp', '["dream␛d800"]', 'Lykon anime', 'A model'),
       (2, NULL, 'Stable Diffusion v1.5', '', NULL, 'checkpoint', 'sd1', '', '', 'unknown', 'unknown', '', 'pg', '', '2026-01-02T03:04:06Z', '', '[]', '', '');
INSERT INTO artifact_name (name, artifact_id) VALUES ('dreamshaper-8', 1), ('sd-v1-5', 2);
INSERT INTO digest (artifact_id, kind, value, ours) VALUES (1, 'autov1', 'deadbeef', 1), (1, 'crc32', '00000001', 0);
INSERT INTO blob (artifact_id, root, size, stored_at, verified_at) VALUES (1, '/models/.sdkeep', 2132625894, '2026-01-02T03:04:05Z', '');
INSERT INTO ui (id, name, layout, root, template, added_at, url, share) VALUES (1, 'main', 'a1111', '/webui', '{base}', '2026-01-01T00:00:00Z', 'http://127.0.0.1:7860', 'paths');
INSERT INTO location (path, artifact_id, ui_id, method, ours, blob_root, inode, mtime_ns, size, missing_at, verified_at) VALUES ('/webui/models/Stable-diffusion/dreamshaper_8.safetensors', 1, 1, 'hardlink', 1, '/models/.sdkeep', '18446744073709551615', 1767323045000000000, 2132625894, '2026-02-01T00:00:00Z', '2026-01-20T00:00:00Z');
INSERT INTO sidecar (path, artifact_id, ui_id, content) VALUES ('/webui/models/Stable-diffusion/dreamshaper_8.civitai.info', 1, 1, 'cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc');
INSERT INTO model (id, hub, hub_id, name, creator, kind, gone_at, checked_at) VALUES (1, 'civitai', '4384', 'DreamShaper', 'Lykon', 'checkpoint', '2026-02-01T00:00:00Z', '2026-02-02T00:00:00Z');
INSERT INTO release (id, model_id, hub_id, name, kind, kind_text, base, family, level, nsfw, poi, minor, sfw_only, merged, access, access_until, published_at, page, air, downloads, rating, trigger_words, tags, previews, parents, description)
VALUES (1, 1, '128713', '8', 'checkpoint', 'Checkpoint', 'SD 1.5', 'sd1', 'pg', 0, 0, 0, 0, 1, 'free', '', '2023-07-31T00:00:00Z', 'https://civitai.com/models/4384', 'urn:air:sd1:checkpoint:civitai:4384@128713', 900000, 4.9, '[]', '["anime"]', '[{"url":"https://image","level":"pg","width":512,"height":768,"video":false}]', '[{"relation":"finetune-of","trust":"name","parent":"SD 1.5","source":"civitai","verbatim":"","weight":null,"method":""}]', '<p>A model</p>');
INSERT INTO release_file (id, release_id, hub_id, artifact_id, position, name, url, fallbacks, size, about, digests, role, format, precision, extent, is_primary) VALUES (1, 1, '9001', 1, 0, 'dreamshaper_8.safetensors', 'https://civitai.com/api/download/models/128713', '[]', 2132625894, NULL, '["autov1:deadbeef"]', 'model', 'safetensors', 'fp16', 'pruned', 1);
INSERT INTO raw (release_id, json_text, seen_at) VALUES (1, '{"id":128713}', '2026-01-02T03:04:05Z');
INSERT INTO claim (release_file_id, scanner, result, message) VALUES (1, 'picklescan', 'Success', '');
INSERT INTO edge (child_id, relation, trust, parent, source, verbatim, weight, method) VALUES (1, 'finetune-of', 'hub-id', 'hf:runwayml/stable-diffusion-v1-5', 'card', 'base_model: …', NULL, '');
INSERT INTO licence (artifact_id, release_id, licence, name, url, allows, base_model, source, seen_at, verbatim) VALUES (NULL, 1, 'creativeml-openrail-m', '', '', '{"merge":true}', '', 'civitai', '2026-01-02T03:04:05Z', '');
INSERT INTO verdict (artifact_id, outcome, container, engine, policy, at, findings, unread) VALUES (1, 'clean-with-notes', 'safetensors', '1', '1', '2026-01-02T03:04:05Z', '[{"rule":"st-metadata","severity":"note","why":"long"}]', '[]');
INSERT INTO intent (action, state, begun_at, closed_at, detail) VALUES ('place', 'open', '2026-01-02T03:04:05Z', '', '{"to":"/webui/x"}');
INSERT INTO allowance (sha256, name, who, at, reason) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'acme.Net', 'ada', '2026-01-02T03:04:05Z', 'our own trainer');
INSERT INTO pin (model_id, release_id, note, at) VALUES (1, 1, 'the last good one', '2026-01-02T03:04:05Z');
INSERT INTO unpacked (release_file_id, artifact_id, member) VALUES (1, 1, 'models/dreamshaper_8.safetensors');
INSERT INTO lookup (sha256, place, at, found) VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'civitai', '2026-01-02T03:04:05Z', 1);
INSERT INTO generation (id, sha256, path, made_at, prompt, negative, infotext, settings, seed, width, height) VALUES (1, 'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd', '/pictures/1.png', '2026-01-03T00:00:00Z', 'a cat', 'blurry', 'a cat', '{"steps":20}', '18446744073709551615', 512, 768);
INSERT INTO generation_model (generation_id, artifact_id, role, name, sha256, weight) VALUES (1, 1, 'checkpoint', 'dreamshaper-8', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', NULL);
INSERT INTO adopted (path, at) VALUES ('/mine', '2026-01-02T03:04:05Z');
