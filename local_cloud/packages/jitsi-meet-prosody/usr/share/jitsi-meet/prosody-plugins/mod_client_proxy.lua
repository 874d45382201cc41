-- A component that hands requests on to the sessions of an ordinary account, which jicofo is. A request gets there
-- with the client's full address as its resource, so that the answer finds its way back without memory.

local array = require "util.array";
local jid = require "util.jid";
local st = require "util.stanza";

local target = module:get_option_string("target_address");
assert(target, "client_proxy on " .. module.host .. " needs target_address");

-- Resources of the account that are online.
local online = {};

local function follow(stanza)
	local resource = jid.resource(stanza.attr.from);
	if stanza.attr.type == "error" then
		online = {};
	elseif resource and stanza.attr.type == nil then
		online[resource] = true;
	elseif resource and stanza.attr.type == "unavailable" then
		online[resource] = nil;
	end
end

local function refuse(stanza, condition)
	if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
		module:send(st.error_reply(stanza, "cancel", condition));
	end
end

local function hand_on(stanza)
	local resources = array();
	for resource in pairs(online) do
		resources:push(resource);
	end
	if #resources == 0 then
		return refuse(stanza, "service-unavailable");
	end
	local request = st.clone(stanza);
	request.attr.from = module.host .. "/" .. stanza.attr.from;
	request.attr.to = target .. "/" .. resources:random();
	module:send(request);
end

local function hand_back(stanza)
	local client = jid.prep(jid.resource(stanza.attr.to) or "");
	if not client then
		return refuse(stanza, "bad-request");
	end
	local answer = st.clone(stanza);
	answer.attr.from = module.host;
	answer.attr.to = client;
	module:send(answer);
end

local function handle(event)
	local stanza = event.stanza;
	local kind = stanza.attr.type;
	local from_target = jid.bare(stanza.attr.from) == target;
	if stanza.name == "presence" then
		if from_target then
			follow(stanza);
		else
			refuse(stanza, "bad-request");
		end
	elseif stanza.name ~= "iq" then
		refuse(stanza, "feature-not-implemented");
	elseif kind == "get" or kind == "set" then
		if from_target then
			refuse(stanza, "feature-not-implemented");
		else
			hand_on(stanza);
		end
	elseif from_target then
		hand_back(stanza);
	end
	return true;
end

for _, name in ipairs { "iq", "message", "presence" } do
	for _, kind in ipairs { "host", "bare", "full" } do
		module:hook(name .. "/" .. kind, handle, -1);
	end
end

-- The account's roster allows it (mod_roster_command); asking brings the presence of sessions that are online already.
module:send(st.presence { from = module.host, to = target, type = "subscribe" });
