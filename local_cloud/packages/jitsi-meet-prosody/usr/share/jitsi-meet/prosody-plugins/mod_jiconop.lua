-- Tells each client when it has logged in, unasked, what it would ask first: what this host announces, with its shard,
-- region and release, and the services beside it (STUN, TURN).

local st = require "util.stanza";

local external_services = module:depends("external_services");

for kind, option in pairs { shard = "shard_name", region = "region_name", release = "release_number" } do
	local name = module:get_option_string(option);
	if name then
		module:add_identity("server", kind, name);
	end
end

local function announced()
	local query = st.stanza("query", { xmlns = "http://jabber.org/protocol/disco#info" });
	local seen = {};
	for _, identity in ipairs(module:get_host_items("identity")) do
		local key = identity.category .. "/" .. identity.type;
		if not seen[key] then
			seen[key] = true;
			query:tag("identity", { category = identity.category, type = identity.type, name = identity.name }):up();
		end
	end
	return query;
end

module:hook("resource-bind", function (event)
	local session = event.session;
	local message = st.message { from = module.host, to = session.full_jid };
	message:add_child(announced());
	message:add_child(external_services.services_xml(external_services.get_services()));
	session.send(message);
end);
