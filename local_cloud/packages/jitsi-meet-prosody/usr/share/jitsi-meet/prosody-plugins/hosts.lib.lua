-- What several of these modules share: work on hosts that may be loaded later than they.

local st = require "util.stanza";

local hosts = {};

-- Calls `work` with the module context of `host`, now or when it is there.
function hosts.when_active(host, work)
	if prosody.hosts[host] then
		work(module:context(host));
	end
	module:hook_global("host-activated", function (name)
		if name == host then
			work(module:context(host));
		end
	end, -1); -- after prosody has loaded the modules of that host
end

-- The room of that address, or nil.
function hosts.room(jid)
	local host = jid:match("@([^/]+)");
	local muc = host and prosody.hosts[host] and prosody.hosts[host].modules.muc;
	return muc and muc.get_room_from_jid(jid);
end

-- Makes this host a component that the domain of the meetings announces. It answers disco, and each message with what
-- the stand-in lacks, unless `serve` takes it.
function hosts.component(kind, serve)
	module:depends("disco");
	module:add_identity("component", kind, module.host);
	module:hook("message/host", function (event)
		local stanza = event.stanza;
		if stanza.attr.type == "error" then
			return true;
		end
		if not (serve and serve(event)) then
			event.origin.send(st.error_reply(stanza, "cancel", "feature-not-implemented",
				"The stand-in for " .. kind .. " does not serve this"));
		end
		return true;
	end);
	hosts.when_active(module:get_option_string("muc_mapper_domain_base"), function (domain)
		domain:fire_event("jitsi-add-identity", { name = kind, host = module.host });
	end);
end

return hosts;
