-- For prosodyctl: `prosodyctl mod_roster_command subscribe USER CONTACT` lets USER see CONTACT's presence. USER may be a
-- component, which has no roster. Left out: unsubscribe, rename and remove.

local jid = require "util.jid";
local rostermanager = require "core.rostermanager";
local storagemanager = require "core.storagemanager";
local usermanager = require "core.usermanager";

local function prepare(host)
	local entry = prosody.hosts[host];
	if not entry then
		return false;
	end
	if entry.users.name == "null" then
		storagemanager.initialize_host(host);
		usermanager.initialize_host(host);
	end
	return true;
end

local function subscribe(user, contact)
	local user_name, user_host = jid.split(user);
	local contact_name, contact_host = jid.split(contact);
	if not user_host or not contact_name then
		return "an address is not valid";
	end
	for _, host in ipairs { user_host, contact_host } do
		if not prepare(host) then
			return "the host " .. host .. " is not configured here";
		end
	end
	prosody.bare_sessions = prosody.bare_sessions or {};
	_G.bare_sessions = _G.bare_sessions or prosody.bare_sessions;
	if user_name then
		rostermanager.set_contact_pending_out(user_name, user_host, contact);
	end
	rostermanager.set_contact_pending_in(contact_name, contact_host, user);
	rostermanager.subscribed(contact_name, contact_host, user);
	if user_name then
		rostermanager.process_inbound_subscription_approval(user_name, user_host, contact);
	end
end

function module.command(arguments)
	local problem;
	if arguments[1] ~= "subscribe" or #arguments ~= 3 then
		problem = "usage: prosodyctl mod_roster_command subscribe USER CONTACT";
	else
		problem = subscribe(arguments[2], arguments[3]);
	end
	if problem then
		io.stderr:write(problem, "\n");
		return 1;
	end
	return 0;
end
