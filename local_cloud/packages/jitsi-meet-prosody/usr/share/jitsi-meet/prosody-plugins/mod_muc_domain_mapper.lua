-- Rooms below a tenant: clients see room@conference.TENANT.DOMAIN, prosody has [TENANT]room@conference.DOMAIN.

local filters = require "util.filters";
local jid = require "util.jid";

local domain = module:get_option_string("muc_mapper_domain_base");
local prefix = module:get_option_string("muc_mapper_domain_prefix", "conference");
local real = prefix .. "." .. domain;
local pattern = "^" .. (prefix .. "."):gsub("%p", "%%%0") .. "([^.]+)%." .. domain:gsub("%p", "%%%0") .. "$";

local function inward(address)
	local room, host, resource = jid.split(address);
	local tenant = room and host:match(pattern);
	return tenant and jid.join("[" .. tenant .. "]" .. room, real, resource) or address;
end

local function outward(address)
	local room, host, resource = jid.split(address);
	if not room or host ~= real then
		return address;
	end
	local tenant, name = room:match("^%[([^%]]+)%](.+)$");
	return tenant and jid.join(name, prefix .. "." .. tenant .. "." .. domain, resource) or address;
end

local function from_client(stanza)
	if stanza.attr and stanza.attr.to then
		stanza.attr.to = inward(stanza.attr.to);
	end
	local request = stanza.name == "iq" and stanza:get_child("conference", "http://jitsi.org/protocol/focus");
	if request and request.attr.room then
		request.attr.room = inward(request.attr.room);
	end
	return stanza;
end

local function to_client(stanza)
	if stanza.attr and stanza.attr.from then
		stanza.attr.from = outward(stanza.attr.from);
	end
	return stanza;
end

-- Jicofo and the bridges, on auth.DOMAIN, see the rooms as they are. A session learns its host after it has begun.
local function on_session(session)
	local function of_guests(map)
		return function (stanza)
			return session.host == domain and map(stanza) or stanza;
		end
	end
	if session.type:match("^c2s") then
		filters.add_filter(session, "stanzas/in", of_guests(from_client));
		filters.add_filter(session, "stanzas/out", of_guests(to_client));
	end
end

function module.load()
	filters.add_filter_hook(on_session);
end

function module.unload()
	filters.remove_filter_hook(on_session);
end
